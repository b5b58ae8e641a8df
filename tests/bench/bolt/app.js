// The smallest durable command with Slack's own framework: one INSERT, then the ack.
const { App, LogLevel } = require('@slack/bolt');
const { Pool } = require('pg');

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  logLevel: LogLevel.ERROR,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

app.command('/env', async ({ command, ack }) => {
  const reply = { response_type: 'ephemeral', text: `You typed ${command.text}.` };
  await pool.query({
    name: 'insert',
    text: 'INSERT INTO bolt_envelopes (key, reply) VALUES ($1, $2)',
    values: [command.trigger_id, JSON.stringify(reply)],
  });
  await ack(reply);
});

app.start().catch((error) => {
  console.error(error);
  process.exit(1);
});

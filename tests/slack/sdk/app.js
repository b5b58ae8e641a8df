// A small app on Slack's own SDK, in Socket Mode, as its documentation writes one. It knows nothing
// of the stand-in but its address. test_sdk.py plays the person.
const { App, LogLevel } = require('@slack/bolt');

const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  logLevel: LogLevel.INFO,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

const button = (text, actionId, value) => ({
  type: 'button', text: { type: 'plain_text', text }, action_id: actionId, value,
});

const words = (text) => ({ type: 'section', text: { type: 'mrkdwn', text } });

const reasonForm = (title) => ({
  type: 'modal',
  callback_id: 'reason',
  title: { type: 'plain_text', text: title },
  submit: { type: 'plain_text', text: 'Send' },
  close: { type: 'plain_text', text: 'Cancel' },
  notify_on_close: true,
  private_metadata: 'kept',
  blocks: [{
    type: 'input',
    block_id: 'reason',
    label: { type: 'plain_text', text: 'Why?' },
    element: { type: 'plain_text_input', action_id: 'reason', multiline: true },
  }],
});

app.command('/env', async ({ command, ack, client, respond }) => {
  if (command.text === 'later') {
    await ack();
    await respond({ text: 'here it is' });
  } else if (command.text === 'form') {
    await ack();
    await client.views.open({ trigger_id: command.trigger_id, view: reasonForm('A reason') });
  } else if (command.text === 'post') {
    await ack();
    await client.chat.postMessage({
      channel: command.channel_id,
      text: 'a card',
      blocks: [words('a card'), { type: 'actions', elements: [button('Approve', 'approve', '7')] }],
      metadata: { event_type: 'card', event_payload: { id: 7 } },
    });
  } else if (command.text === 'bad') {
    await ack();
    try {
      await client.chat.postMessage({ channel: command.channel_id, text: 'x', blocks: [words('')] });
    } catch (error) {
      await respond(`${error.data.error}: ${error.data.response_metadata.messages[0]}`);
    }
  } else {
    await ack({ response_type: 'ephemeral', text: `you said ${command.text}` });
  }
});

app.action('approve', async ({ ack, action, body, client, respond }) => {
  await ack();
  await client.chat.update({
    channel: body.channel.id,
    ts: body.message.ts,
    text: `approved ${action.value}`,
    blocks: [words(`approved by <@${body.user.id}>`)],
  });
  await respond({ text: 'thank you', response_type: 'ephemeral', replace_original: false });
});

app.view('reason', async ({ ack, body, view, client }) => {
  const reason = view.state.values.reason.reason.value;
  if (reason === 'no') {
    await ack({ response_action: 'errors', errors: { reason: 'Say more.' } });
  } else if (reason === 'again') {
    await ack({ response_action: 'update', view: reasonForm('Once more') });
  } else {
    await ack();
    const opened = await client.conversations.open({ users: body.user.id });
    await client.chat.postMessage({
      channel: opened.channel.id, text: `${reason} (${view.private_metadata})`,
    });
  }
});

app.view({ callback_id: 'reason', type: 'view_closed' }, async ({ ack, body, client }) => {
  await ack();
  await client.chat.postMessage({ channel: body.user.id, text: 'as you like' });
});

app.event('app_mention', async ({ event, client }) => {
  const { members } = await client.conversations.members({ channel: event.channel });
  const { user } = await client.users.info({ user: event.user });
  const { usergroups } = await client.usergroups.list({ include_users: true });
  const sent = await client.chat.postMessage({
    channel: event.channel,
    text: `${user.name} of ${members.length}, ${usergroups.length} groups`,
  });
  await client.chat.postMessage({ channel: event.channel, thread_ts: sent.ts, text: 'a reply' });
  const { messages } = await client.conversations.replies({ channel: event.channel, ts: sent.ts });
  const { permalink } = await client.chat.getPermalink({ channel: event.channel, message_ts: sent.ts });
  await client.filesUploadV2({
    channel_id: event.channel,
    thread_ts: sent.ts,
    filename: 'report.csv',
    content: 'team,hours\npayments,3\n',
    initial_comment: `${messages.length} messages at ${new URL(permalink).pathname.split('/')[1]}`,
  });
});

app.start().then(() => console.log('started'));

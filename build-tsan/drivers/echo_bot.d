build-tsan/drivers/echo_bot: tests/drivers/echo_bot.c bot/base/log.h \
 bot/base/metrics.h bot/http/door.h bot/base/error.h bot/http/health.h \
 bot/slack/socket.h bot/slack/envelope.h bot/base/json.h
bot/base/log.h:
bot/base/metrics.h:
bot/http/door.h:
bot/base/error.h:
bot/http/health.h:
bot/slack/socket.h:
bot/slack/envelope.h:
bot/base/json.h:

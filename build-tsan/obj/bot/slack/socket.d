build-tsan/obj/bot/slack/socket.o: bot/slack/socket.c bot/slack/socket.h \
 bot/base/error.h bot/slack/envelope.h bot/base/json.h bot/base/log.h \
 bot/base/metrics.h bot/base/retry.h bot/slack/acks.h \
 bot/slack/connection.h bot/slack/opener.h
bot/slack/socket.h:
bot/base/error.h:
bot/slack/envelope.h:
bot/base/json.h:
bot/base/log.h:
bot/base/metrics.h:
bot/base/retry.h:
bot/slack/acks.h:
bot/slack/connection.h:
bot/slack/opener.h:

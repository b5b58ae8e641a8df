build-tsan/obj/bot/slack/acks.o: bot/slack/acks.c bot/slack/acks.h \
 bot/slack/connection.h bot/slack/opener.h bot/base/error.h \
 bot/slack/envelope.h bot/base/json.h bot/base/log.h
bot/slack/acks.h:
bot/slack/connection.h:
bot/slack/opener.h:
bot/base/error.h:
bot/slack/envelope.h:
bot/base/json.h:
bot/base/log.h:

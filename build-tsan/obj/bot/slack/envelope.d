build-tsan/obj/bot/slack/envelope.o: bot/slack/envelope.c \
 bot/slack/envelope.h bot/base/error.h bot/base/json.h bot/base/text.h
bot/slack/envelope.h:
bot/base/error.h:
bot/base/json.h:
bot/base/text.h:

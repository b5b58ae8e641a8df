build-tsan/obj/bot/slack/connection.o: bot/slack/connection.c \
 bot/slack/connection.h bot/slack/opener.h bot/base/error.h \
 bot/base/log.h
bot/slack/connection.h:
bot/slack/opener.h:
bot/base/error.h:
bot/base/log.h:

build-tsan/obj/bot/slack/opener.o: bot/slack/opener.c bot/slack/opener.h \
 bot/base/error.h bot/slack/web.h bot/base/json.h
bot/slack/opener.h:
bot/base/error.h:
bot/slack/web.h:
bot/base/json.h:

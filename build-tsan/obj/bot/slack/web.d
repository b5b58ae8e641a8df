build-tsan/obj/bot/slack/web.o: bot/slack/web.c bot/slack/web.h \
 bot/base/error.h bot/base/json.h bot/base/http_client.h
bot/slack/web.h:
bot/base/error.h:
bot/base/json.h:
bot/base/http_client.h:

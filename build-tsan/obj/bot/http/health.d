build-tsan/obj/bot/http/health.o: bot/http/health.c bot/http/health.h \
 bot/base/breaker.h bot/base/error.h bot/base/json.h bot/slack/socket.h \
 bot/slack/envelope.h
bot/http/health.h:
bot/base/breaker.h:
bot/base/error.h:
bot/base/json.h:
bot/slack/socket.h:
bot/slack/envelope.h:

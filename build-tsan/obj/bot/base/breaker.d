build-tsan/obj/bot/base/breaker.o: bot/base/breaker.c bot/base/breaker.h \
 bot/base/error.h bot/base/log.h bot/base/metrics.h
bot/base/breaker.h:
bot/base/error.h:
bot/base/log.h:
bot/base/metrics.h:

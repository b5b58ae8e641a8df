build-tsan/obj/bot/http/door.o: bot/http/door.c bot/http/door.h \
 bot/base/error.h bot/base/log.h bot/http/health.h bot/http/metrics.h
bot/http/door.h:
bot/base/error.h:
bot/base/log.h:
bot/http/health.h:
bot/http/metrics.h:

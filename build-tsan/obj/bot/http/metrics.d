build-tsan/obj/bot/http/metrics.o: bot/http/metrics.c bot/http/metrics.h \
 bot/base/metrics.h
bot/http/metrics.h:
bot/base/metrics.h:

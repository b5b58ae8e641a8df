build-tsan/obj/bot/base/metrics.o: bot/base/metrics.c bot/base/metrics.h
bot/base/metrics.h:

build-tsan/obj/bot/base/retry.o: bot/base/retry.c bot/base/retry.h
bot/base/retry.h:

build-tsan/obj/bot/base/error.o: bot/base/error.c bot/base/error.h
bot/base/error.h:

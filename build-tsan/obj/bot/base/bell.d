build-tsan/obj/bot/base/bell.o: bot/base/bell.c bot/base/bell.h
bot/base/bell.h:

build-tsan/obj/bot/base/process.o: bot/base/process.c bot/base/process.h
bot/base/process.h:

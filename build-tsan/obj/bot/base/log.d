build-tsan/obj/bot/base/log.o: bot/base/log.c bot/base/log.h
bot/base/log.h:

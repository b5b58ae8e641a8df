build-tsan/obj/bot/base/id.o: bot/base/id.c bot/base/id.h
bot/base/id.h:

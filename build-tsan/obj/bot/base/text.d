build-tsan/obj/bot/base/text.o: bot/base/text.c bot/base/text.h
bot/base/text.h:

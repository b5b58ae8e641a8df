build-tsan/obj/bot/base/duration.o: bot/base/duration.c \
 bot/base/duration.h bot/base/error.h
bot/base/duration.h:
bot/base/error.h:

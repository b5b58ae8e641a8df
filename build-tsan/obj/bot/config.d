build-tsan/obj/bot/config.o: bot/config.c bot/config.h bot/base/error.h \
 bot/base/duration.h bot/base/error.h bot/base/text.h bot/base/tree.h \
 bot/base/json.h
bot/config.h:
bot/base/error.h:
bot/base/duration.h:
bot/base/error.h:
bot/base/text.h:
bot/base/tree.h:
bot/base/json.h:

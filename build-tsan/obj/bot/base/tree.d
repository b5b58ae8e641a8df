build-tsan/obj/bot/base/tree.o: bot/base/tree.c bot/base/tree.h \
 bot/base/error.h bot/base/json.h bot/base/text.h
bot/base/tree.h:
bot/base/error.h:
bot/base/json.h:
bot/base/text.h:

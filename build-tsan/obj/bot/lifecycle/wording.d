build-tsan/obj/bot/lifecycle/wording.o: bot/lifecycle/wording.c \
 bot/lifecycle/wording.h bot/base/error.h bot/base/json.h bot/base/tree.h
bot/lifecycle/wording.h:
bot/base/error.h:
bot/base/json.h:
bot/base/tree.h:

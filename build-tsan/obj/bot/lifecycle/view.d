build-tsan/obj/bot/lifecycle/view.o: bot/lifecycle/view.c \
 bot/lifecycle/view.h bot/store/environments.h bot/store/db.h \
 bot/base/error.h bot/base/json.h bot/base/duration.h bot/base/text.h
bot/lifecycle/view.h:
bot/store/environments.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:
bot/base/duration.h:
bot/base/text.h:

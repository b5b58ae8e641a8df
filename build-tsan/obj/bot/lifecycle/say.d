build-tsan/obj/bot/lifecycle/say.o: bot/lifecycle/say.c \
 bot/lifecycle/say.h bot/store/environments.h bot/store/db.h \
 bot/base/error.h bot/base/json.h bot/lifecycle/view.h
bot/lifecycle/say.h:
bot/store/environments.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:
bot/lifecycle/view.h:

build-tsan/obj/bot/lifecycle/states.o: bot/lifecycle/states.c \
 bot/lifecycle/states.h bot/store/audit.h bot/store/db.h bot/base/error.h \
 bot/base/json.h bot/store/environments.h bot/base/duration.h \
 bot/lifecycle/say.h
bot/lifecycle/states.h:
bot/store/audit.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:
bot/store/environments.h:
bot/base/duration.h:
bot/lifecycle/say.h:

build-tsan/obj/bot/lifecycle/clock.o: bot/lifecycle/clock.c \
 bot/lifecycle/clock.h bot/store/db.h bot/base/error.h bot/base/json.h \
 bot/base/log.h bot/lifecycle/states.h bot/store/audit.h \
 bot/store/environments.h
bot/lifecycle/clock.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:
bot/base/log.h:
bot/lifecycle/states.h:
bot/store/audit.h:
bot/store/environments.h:

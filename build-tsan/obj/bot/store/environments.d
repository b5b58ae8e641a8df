build-tsan/obj/bot/store/environments.o: bot/store/environments.c \
 bot/store/environments.h bot/store/db.h bot/base/error.h bot/base/json.h
bot/store/environments.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:

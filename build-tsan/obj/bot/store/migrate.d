build-tsan/obj/bot/store/migrate.o: bot/store/migrate.c \
 bot/store/migrate.h bot/store/db.h bot/base/error.h bot/base/json.h \
 bot/base/log.h
bot/store/migrate.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:
bot/base/log.h:

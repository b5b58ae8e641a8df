build-tsan/obj/bot/store/db.o: bot/store/db.c bot/store/db.h \
 bot/base/error.h bot/base/json.h bot/base/log.h
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:
bot/base/log.h:

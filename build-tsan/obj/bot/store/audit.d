build-tsan/obj/bot/store/audit.o: bot/store/audit.c bot/store/audit.h \
 bot/store/db.h bot/base/error.h bot/base/json.h
bot/store/audit.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:

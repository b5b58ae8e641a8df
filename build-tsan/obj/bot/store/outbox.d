build-tsan/obj/bot/store/outbox.o: bot/store/outbox.c bot/store/outbox.h \
 bot/store/db.h bot/base/error.h bot/base/json.h
bot/store/outbox.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:

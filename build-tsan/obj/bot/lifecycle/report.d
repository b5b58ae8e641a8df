build-tsan/obj/bot/lifecycle/report.o: bot/lifecycle/report.c \
 bot/lifecycle/report.h bot/store/db.h bot/base/error.h bot/base/json.h \
 bot/base/duration.h bot/base/text.h
bot/lifecycle/report.h:
bot/store/db.h:
bot/base/error.h:
bot/base/json.h:
bot/base/duration.h:
bot/base/text.h:

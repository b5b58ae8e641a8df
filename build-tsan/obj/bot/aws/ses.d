build-tsan/obj/bot/aws/ses.o: bot/aws/ses.c bot/aws/ses.h bot/aws/call.h \
 bot/base/error.h bot/base/json.h
bot/aws/ses.h:
bot/aws/call.h:
bot/base/error.h:
bot/base/json.h:

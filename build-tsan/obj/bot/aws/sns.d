build-tsan/obj/bot/aws/sns.o: bot/aws/sns.c bot/aws/sns.h bot/aws/call.h \
 bot/base/error.h bot/base/http_client.h
bot/aws/sns.h:
bot/aws/call.h:
bot/base/error.h:
bot/base/http_client.h:

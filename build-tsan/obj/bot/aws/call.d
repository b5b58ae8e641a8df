build-tsan/obj/bot/aws/call.o: bot/aws/call.c bot/aws/call.h \
 bot/base/error.h bot/aws/credentials.h bot/aws/sigv4.h \
 bot/base/http_client.h bot/base/json.h
bot/aws/call.h:
bot/base/error.h:
bot/aws/credentials.h:
bot/aws/sigv4.h:
bot/base/http_client.h:
bot/base/json.h:

build-tsan/obj/bot/aws/credentials.o: bot/aws/credentials.c \
 bot/aws/credentials.h bot/aws/sigv4.h bot/base/error.h \
 bot/base/http_client.h bot/base/json.h bot/base/log.h
bot/aws/credentials.h:
bot/aws/sigv4.h:
bot/base/error.h:
bot/base/http_client.h:
bot/base/json.h:
bot/base/log.h:

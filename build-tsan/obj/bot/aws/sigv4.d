build-tsan/obj/bot/aws/sigv4.o: bot/aws/sigv4.c bot/aws/sigv4.h
bot/aws/sigv4.h:

build-tsan/obj/bot/base/json.o: bot/base/json.c bot/base/json.h
bot/base/json.h:

build-tsan/obj/bot/lifecycle/pace.o: bot/lifecycle/pace.c \
 bot/lifecycle/pace.h
bot/lifecycle/pace.h:

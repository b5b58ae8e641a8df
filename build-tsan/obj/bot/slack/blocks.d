build-tsan/obj/bot/slack/blocks.o: bot/slack/blocks.c bot/slack/blocks.h \
 bot/base/json.h bot/base/text.h
bot/slack/blocks.h:
bot/base/json.h:
bot/base/text.h:

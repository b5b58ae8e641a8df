build-tsan/obj/commands/words.o: commands/words.c commands/words.h \
 bot/base/error.h bot/base/text.h
commands/words.h:
bot/base/error.h:
bot/base/text.h:

build-tsan/obj/bot/lifecycle/deliver_slack.o: \
 bot/lifecycle/deliver_slack.c bot/lifecycle/deliver.h bot/aws/call.h \
 bot/base/error.h bot/config.h bot/base/error.h bot/lifecycle/pace.h \
 bot/lifecycle/wording.h bot/base/json.h bot/slack/web.h \
 bot/store/outbox.h bot/store/db.h bot/base/log.h bot/base/retry.h \
 bot/lifecycle/view.h bot/store/environments.h bot/slack/blocks.h
bot/lifecycle/deliver.h:
bot/aws/call.h:
bot/base/error.h:
bot/config.h:
bot/base/error.h:
bot/lifecycle/pace.h:
bot/lifecycle/wording.h:
bot/base/json.h:
bot/slack/web.h:
bot/store/outbox.h:
bot/store/db.h:
bot/base/log.h:
bot/base/retry.h:
bot/lifecycle/view.h:
bot/store/environments.h:
bot/slack/blocks.h:

"""EventBridge Scheduler: schedules that fire with their own roles. The emulator's own scheduler fires with no role at all."""

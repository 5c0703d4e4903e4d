"""The WeCom and DingTalk group robots with their limits and refusals, and an inbox of what arrived."""

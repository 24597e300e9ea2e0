"""The one pipeline: framing → revision check → Host → route → address limit → credential → access → body → handler → answer.

`message` says what a request and an answer are, `pipeline` is the way of a request, `asgi` is the only file that knows
which server carries it.
"""

#!/usr/bin/env python3
"""For a client of the plain form: joins it to the topic of the query, both ways."""
import json
import os
import socket

os.write(1, b"\n")
topic = os.environ["QUERY_STRING"]
connection = socket.socket(fileno=3)
connection.sendall(
    f".subscribe {json.dumps({'topic': topic, 'to': 'page', 'self': False})}\n".encode()
)
for line in connection.makefile():
    name, _, data = line.partition(" ")
    if name == "message":
        connection.sendall(
            f'.publish {{"topic":"{topic}","event":"message","data":{data.strip()}}}\n'.encode()
        )

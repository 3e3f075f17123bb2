"""The clients that are compared, a program each: `python -m benchmarks.contenders.NAME --url ... --file ...`.

Each is written the way competent users of its library write it: no cleverness, no sabotage. All send the
same form: the part `chunk`, the part `md5`, and the header `Content-Range: bytes FIRST-LAST/TOTAL`.
"""

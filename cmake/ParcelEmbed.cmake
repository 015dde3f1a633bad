# cmake -DINPUT=page.html -DOUTPUT=page.c -DNAME=parcel__page -P ParcelEmbed.cmake
# The text file INPUT as the C array NAME, ended by a zero.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "extern const char ${NAME}[];\nconst char ${NAME}[] = {\n${bytes}0};\n")

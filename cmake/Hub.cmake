# Finds what downloading models takes: libcurl for HTTP, OpenSSL for checksums.
find_package(CURL 7.66)
find_package(OpenSSL)
if(NOT CURL_FOUND OR NOT OPENSSL_FOUND)
  message(FATAL_ERROR
    "vitome pull needs libcurl 7.66 or newer and OpenSSL. Install them (on Debian and Ubuntu "
    "libcurl4-openssl-dev and libssl-dev), or build without it: -DVITOME_HUB=OFF")
endif()

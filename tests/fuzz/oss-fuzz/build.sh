#!/bin/bash -eu
# Builds the fuzz targets the way OSS-Fuzz wants them: $OUT/TARGET, with TARGET_seed_corpus.zip, TARGET.dict and
# TARGET.options beside it. The Makefile has the files and the rules; compilers, flags and engine are OSS-Fuzz's.
# Runs at the top of the repository:
#
#   OUT=/tmp/out CC=clang-19 CXX=clang++-19 CFLAGS=... CXXFLAGS="-O1 -fsanitize=address,fuzzer-no-link" \
#     LIB_FUZZING_ENGINE=-fsanitize=fuzzer tests/fuzz/oss-fuzz/build.sh

# libc++ has no std::move_only_function yet
export CXXFLAGS=${CXXFLAGS//-stdlib=libc++/}
export CFLAGS CC CXX LIB_FUZZING_ENGINE

# a target runs in another image than it was built in, so what that may not have is linked in
make -j"$(nproc)" BUILD=fuzz WITH_SYSTEMD=0 WITH_SECCOMP=0 warnings='' optimize_fuzz='' \
  LDFLAGS="$CXXFLAGS -static-libstdc++ -static-libgcc" libs='-l:libssl.a -l:libcrypto.a -ldl -lpthread' \
  fuzz-targets

for program in build/fuzz/fuzz/*_fuzz; do
  name=$(basename "$program" _fuzz)
  cp "$program" "$OUT/$name"
  rm -f "$OUT/${name}_seed_corpus.zip"
  zip -jqr "$OUT/${name}_seed_corpus.zip" "tests/fuzz/corpus/$name"
  if [ -f "tests/fuzz/$name.dict" ]; then cp "tests/fuzz/$name.dict" "$OUT/$name.dict"; fi
  printf '[libfuzzer]\nmax_len = %d\ntimeout = 60\n' "$([ "$name" = session ] && echo 8192 || echo 4096)" >"$OUT/$name.options"
done

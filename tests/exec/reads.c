// Prints the files that patterns stand for, found by libc's glob(3) and read by fopen(3): "PATH: FIRST LINE".
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  glob_t found;
  printf("user %d\n", (int)getuid());
  for (int i = 1; i < argc; ++i) {
    if (glob(argv[i], 0, NULL, &found) != 0) {
      printf("%s: not there\n", argv[i]);
      continue;
    }
    for (size_t k = 0; k < found.gl_pathc; ++k) {
      char line[256] = "cannot be read";
      FILE* file = fopen(found.gl_pathv[k], "r");
      if (file != NULL && fgets(line, sizeof line, file) != NULL) line[strcspn(line, "\n")] = '\0';
      if (file != NULL) fclose(file);
      printf("%s: %s\n", found.gl_pathv[k], line);
    }
    globfree(&found);
  }
  return 0;
}

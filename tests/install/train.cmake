# Runs the example TRAIN on pictures of SAMPLES in FOLDER, and THREE_LINES with what it has trained.
file(REMOVE_RECURSE "${FOLDER}")
foreach(picture cat cat_sitting dog dog_black horse horse_white deer deer_gray)
  string(REGEX REPLACE "_.*" "" class ${picture})
  file(COPY "${SAMPLES}/${picture}.jpg" DESTINATION "${FOLDER}/pictures/${class}")
endforeach()
execute_process(COMMAND "${TRAIN}" "${FOLDER}/pictures" "${FOLDER}/model"
                COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${THREE_LINES}" "${FOLDER}/model" "${SAMPLES}/cat.jpg"
                COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
